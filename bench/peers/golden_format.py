"""Golden files: a small safetensors reader and writer, det.py's parameters for modules, and how float32 is judged."""
import importlib.util
import json
import pathlib
import struct

import numpy as np
import torch

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}
FLOOR = 2e-6  # the bar for float32 is three times PyTorch's own error, and never stricter than this
ZERO = 1e-10  # float64 values below this are rounding noise of a true zero


def load_det():
    """The golden data's det.py: the module that defines all weights and inputs."""
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "det.py"
    spec = importlib.util.spec_from_file_location("det", path)
    det = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(det)
    return det


det = load_det()


def read_safetensors(path):
    """Returns (metadata, tensors by name in the order of the file)."""
    data = pathlib.Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(data[8 + size + begin:8 + size + end], DTYPES[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"])
    return metadata, tensors


def write_safetensors(path, metadata, tensors):
    """Little-endian safetensors with an 8-byte aligned header; metadata values are written as strings."""
    header, offset = {"__metadata__": {key: str(value) for key, value in metadata.items()}}, 0
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape or (1,)) for name, array in tensors.items()}
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    for name, array in arrays.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


def tensor(array, dtype):
    """A torch tensor of the array: floats in `dtype`, integers as they are."""
    result = torch.from_numpy(np.array(array))
    return result.to(dtype) if result.is_floating_point() else result


def fill(module, dtype):
    """Gives a module det.py's parameters and float buffers, by their keys, in `dtype`."""
    module.to(dtype)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            values = det.parameter(name, tuple(value.shape))
            if values is not None:
                value.copy_(torch.from_numpy(values))
    return module


def relative_error(value, truth):
    """‖value − truth‖ / ‖truth‖ in float64."""
    value, truth = np.asarray(value, np.float64), np.asarray(truth, np.float64)
    return float(np.linalg.norm((value - truth).ravel()) / max(np.linalg.norm(truth.ravel()), 1e-300))


def float32_errors(single, double):
    """Metadata `float32_relative_error`: per float tensor two digits of the error, or "zero" where the true value is zero."""
    errors = {}
    for name, truth in double.items():
        if truth.dtype.kind == "f":
            zero = np.abs(truth).max(initial=0.0) < ZERO
            errors[name] = "zero" if zero else float(f"{relative_error(single[name], truth):.1e}")
    return errors


def within_bar(value, truth, error):
    """Whether a float32 result is close enough, by one entry of `float32_relative_error`. Returns (passed, error / bar)."""
    if error == "zero":
        worst = float(np.abs(value).max(initial=0.0))
        return worst <= 1e-3, worst / 1e-3
    bar = max(3.0 * error, FLOOR)
    actual = relative_error(value, truth)
    return actual <= bar, actual / bar
