"""Stands for the candidate, which runs in a cage of its own: each function here calls the candidate's there."""
import sys as __sys
if "_stand_in" not in __sys.modules:
    __module = type(__sys)("_stand_in")
    with open("/work/shim/_stand_in.py", encoding="utf-8") as __file:
        exec(compile(__file.read(), "/work/shim/_stand_in.py", "exec"), __module.__dict__)
    __sys.modules["_stand_in"] = __module
    del __module, __file
__fill = __sys.modules["_stand_in"].fill
del __sys
__fill(locals())
