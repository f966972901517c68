"""stub"""


def described_study(folder, link):
    return {"MLflow run": link}
