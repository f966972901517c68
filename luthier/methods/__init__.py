"""Fine-tuning methods, one file each: adding one is a file and its line here."""

from typing import Annotated

from pydantic import Field

from luthier.methods.full import Full
from luthier.methods.lora import Lora
from luthier.methods.qlora import Qlora

METHODS: dict[str, type[Full | Lora | Qlora]] = {"full": Full, "lora": Lora, "qlora": Qlora}

Method = Annotated[Full | Lora | Qlora, Field(discriminator="kind")]
