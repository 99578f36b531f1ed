"""BERT's uncased tokenizer: text -> WordPiece ids, for the peer of whole commands."""
import re
import unicodedata

SPECIAL = ("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]")


def read_vocabulary(path):
    with open(path, encoding="utf-8") as file:
        return {line.rstrip("\n"): number for number, line in enumerate(file)}


def _is_cjk(char):
    code = ord(char)
    return any(low <= code <= high for low, high in (
        (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
        (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)))


def _is_punctuation(char):
    return (char.isascii() and char.isprintable() and not char.isalnum() and char != " ") or unicodedata.category(char)[0] == "P"


def _words(text):
    """Lower case, no accents; punctuation and CJK characters stand alone. As published, control characters stay."""
    letters = (char for char in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(char) != "Mn")
    return "".join(f" {char} " if _is_cjk(char) or _is_punctuation(char) else char for char in letters).split()


def _pieces(word, vocabulary):
    """The longest known prefix again and again; a word with an unknown rest is [UNK] as a whole."""
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in vocabulary), None)
        if end is None:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


def encode(text, vocabulary):
    """Ids with [CLS] and [SEP], not cut off."""
    tokens = ["[CLS]"]
    for part in re.split("(" + "|".join(map(re.escape, SPECIAL)) + ")", text):
        tokens += [part] if part in SPECIAL else [piece for word in _words(part) for piece in _pieces(word, vocabulary)]
    return [vocabulary[token] for token in tokens + ["[SEP]"]]
