"""Makes the shipped sentence encoder. For a developer's machine: needs torch and onnx, which the product never imports.

`python -m anruflotse.understanding.finetune --help` rebuilds `understanding/model/encoder.onnx` and its tokenizer from
the public weights of multilingual-e5-small and the corpus. How and why: docs/understanding.md.
"""
