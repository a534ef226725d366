"""Make the starter encoder from plain text: a small BERT over words and characters.

text (`corpus`) -> tokenizer (`vocabulary`) -> ids (`corpus`) -> token vectors (`counts`) -> batches (`batches`)
-> encoder (`model`) -> a run that can be killed (`run`), all of it started by `python -m trainer.pretrain`.
Nothing else in the house needs any step of it.
"""
