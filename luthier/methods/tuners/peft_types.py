"""The one place where PEFT learns of a tuner that it lacks.

    register(BottleneckConfig, BottleneckModel)

once in a process, before a configuration is made or an adapter is loaded.
"""

from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from peft.utils import PeftType, register_peft_method


def register(config: type[PeftConfig], tuner: type[BaseTuner]) -> None:
    """Makes PEFT know the tuner by its prefix: ``bottleneck_`` becomes the type BOTTLENECK.

    PEFT's enumeration of types is closed, so it is given a member. A second registration, such as that of a copy of
    the tuner's file beside a packaged model, changes nothing.

    Raises:
        RuntimeError: PEFT has a method of that name of its own.
    """
    name = tuner.prefix.removesuffix("_")
    known = PeftType.__members__.get(name.upper())
    if known is None:
        _extend(name.upper())
        register_peft_method(name=name, config_cls=config, model_cls=tuner)
    elif PEFT_TYPE_TO_TUNER_MAPPING[known].__module__.startswith("peft."):
        raise RuntimeError(f"this PEFT has a method {name} of its own: rename {tuner.__name__}'s prefix")


def _extend(name: str) -> None:
    member = str.__new__(PeftType, name)
    member._name_ = member._value_ = name
    setattr(PeftType, name, member)
    PeftType._member_names_.append(name)
    PeftType._member_map_[name] = member
    PeftType._value2member_map_[name] = member
