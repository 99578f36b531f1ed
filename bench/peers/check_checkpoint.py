#!/usr/bin/env python3
"""Loads a checkpoint that Lavt wrote with PyTorch and compares it with a safetensors file of the same tensors.

    /usr/bin/python3 bench/peers/check_checkpoint.py model.pth model.safetensors

The checkpoint is loaded as any, and with weights_only=True if PyTorch is 2.0 or newer (1.13 has the option, but reads
no floats with it). For newer versions than the one at hand, the pickle's opcodes and names are compared with those that
the weights_only reader of PyTorch 2.x accepts. Tensors are named by their path in the checkpoint
("model.backbone.norm.weight", "optimizer.state.0.exp_avg", "list.1"). Every tensor of each file must be in the other, with
the same shape, type and bits. Prints OK and exits 0, or says what differs and exits 1.
"""
import argparse
import json
import pickletools
import struct
import sys
import zipfile

import torch

# Facts of torch/_weights_only_unpickler.py, PyTorch 2.x.
SAFE_OPCODES = set("""
    APPEND APPENDS BINFLOAT BINGET BININT BININT1 BININT2 BINPERSID BINPUT BINUNICODE BUILD EMPTY_DICT EMPTY_LIST
    EMPTY_SET EMPTY_TUPLE GLOBAL LONG1 LONG_BINGET LONG_BINPUT MARK NEWFALSE NEWOBJ NEWTRUE NONE PROTO REDUCE SETITEM
    SETITEMS SHORT_BINSTRING STOP TUPLE TUPLE1 TUPLE2 TUPLE3""".split())
SAFE_GLOBALS = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2"} | {
    f"torch {name}Storage" for name in "Float Double Half BFloat16 Char Short Int Long Byte Bool".split()}

TYPES = {
    "F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16, "I8": torch.int8,
    "I16": torch.int16, "I32": torch.int32, "I64": torch.int64, "U8": torch.uint8, "BOOL": torch.bool,
}


def read_safetensors(path):
    """Name -> tensor; the format is a length, a JSON header and the numbers."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        numbers = content[8 + length + begin:8 + length + end]
        dtype = TYPES[entry["dtype"]]
        flat = torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def tensors_of(value, path=""):
    """Every tensor in a tree of dicts, lists, tuples and namespaces, with its path."""
    if isinstance(value, torch.Tensor):
        yield path, value
        return
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, (list, tuple)):
        entries = enumerate(value)
    else:
        return
    for key, element in entries:
        yield from tensors_of(element, f"{path}.{key}" if path else str(key))


def bits(tensor):
    """The tensor's bytes, so that NaN equals itself and -0 differs from 0."""
    flat = tensor.contiguous().reshape(-1)
    return flat.view(torch.uint8) if flat.numel() else flat


def differences(found, expected):
    for name in sorted(found.keys() ^ expected.keys()):
        yield f"{name} is only in the {'checkpoint' if name in found else 'safetensors file'}"
    for name in sorted(found.keys() & expected.keys()):
        a, b = found[name], expected[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            yield f"{name}: {a.dtype} {tuple(a.shape)} in the checkpoint, {b.dtype} {tuple(b.shape)} in the safetensors file"
        elif not torch.equal(bits(a), bits(b)):
            yield f"{name}: the values differ"


def unsafe_parts(path):
    """What the weights_only reader of PyTorch 2.x would refuse."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged:
            yield f"the checksum of {damaged} is wrong"
        (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        for opcode, argument, position in pickletools.genops(archive.read(name)):
            if opcode.name not in SAFE_OPCODES:
                yield f"opcode {opcode.name} at byte {position}"
            if opcode.name == "GLOBAL" and argument not in SAFE_GLOBALS:
                yield f"name {argument} at byte {position}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="the .pth file that Lavt wrote")
    parser.add_argument("expected", help="a .safetensors file with the same tensors")
    parser.add_argument("--namespace", action="store_true", help="the checkpoint keeps argparse.Namespace, which weights_only=True refuses")
    arguments = parser.parse_args()

    expected = read_safetensors(arguments.expected)
    modes = [{}]
    if int(torch.__version__.split(".")[0]) >= 2:
        modes = [{"weights_only": False}] if arguments.namespace else [{"weights_only": False}, {"weights_only": True}]
    failed = False
    for part in [] if arguments.namespace else unsafe_parts(arguments.checkpoint):
        print(f"{arguments.checkpoint}: weights_only=True refuses {part}", file=sys.stderr)
        failed = True
    for mode in modes:
        checkpoint = torch.load(arguments.checkpoint, map_location="cpu", **mode)
        found = dict(tensors_of(checkpoint))
        for difference in differences(found, expected):
            print(f"{arguments.checkpoint} {mode}: {difference}", file=sys.stderr)
            failed = True
        size = sum(tensor.numel() * tensor.element_size() for tensor in found.values())
        keys = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        print(f"PyTorch {torch.__version__} {mode}: {len(found)} tensors, {size} bytes; top level: {keys}")
    if failed:
        sys.exit(1)
    print("OK")


if __name__ == "__main__":
    main()
