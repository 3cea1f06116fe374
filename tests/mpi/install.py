"""Take part in a race for the module: install.py waits for the file START, then installs."""

import sys
import time
from pathlib import Path

import nest

import nestlfp
from nests import quieten
from networks import exponential_kernels, installed

quieten(nest)
bank = nestlfp.FilterBank(exponential_kernels())
print("ready", flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.01)
bank = installed(exponential_kernels())
nest.Create(bank.model.name)
print("installed", flush=True)
