"""Fine-tuning methods, one file each: adding one is a file and its name in ``AnyMethod``."""

from typing import Annotated, get_args

from pydantic import Field

from luthier.methods.bitfit import Bitfit
from luthier.methods.bottleneck import Bottleneck
from luthier.methods.full import Full
from luthier.methods.ia3 import Ia3
from luthier.methods.lora import Lora
from luthier.methods.prefix import Prefix
from luthier.methods.prompt import Prompt
from luthier.methods.ptuning import Ptuning
from luthier.methods.qlora import Qlora

AnyMethod = Full | Lora | Qlora | Bottleneck | Prefix | Prompt | Bitfit | Ia3 | Ptuning

Method = Annotated[AnyMethod, Field(discriminator="kind")]

METHODS: dict[str, type[AnyMethod]] = {
    get_args(method.model_fields["kind"].annotation)[0]: method for method in get_args(AnyMethod)
}
