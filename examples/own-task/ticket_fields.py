"""A task of one's own: fields of a text as a JSON object, scored field by field."""

import json

from tunescale_core.errors import DataError
from tunescale_core.tasks import PARSE_RATE, Example, LeftOut, Metric, Task


def right_fields(answer):
    """Return the share of the fields that are as they should be."""
    gold = json.loads(answer.gold[0])
    said = json.loads(answer.said) if answer.said is not None else {}
    return sum(said.get(name) == value for name, value in gold.items()) / len(gold)


def all_right(answer):
    """Return 1 where every field is right and there is no other."""
    return float(answer.said is not None and json.loads(answer.said) == json.loads(answer.gold[0]))


class Extraction(Task):
    """A text, and the fields that are to be found in it."""

    name = "extraction"
    system = ""  # the study says which fields there are
    columns = ("id", "text", "fields")
    metrics = (
        Metric("field_accuracy", "fields", "fraction", "higher", right_fields),
        Metric("accuracy", "all right", "fraction", "higher", all_right, law="binary"),
        PARSE_RATE,
    )
    trivial_rule = "commonest object"
    judged = "field_accuracy"

    def example(self, row, style):
        """Ask for the fields of a row's text, and teach them as JSON."""
        if not isinstance(row.get("text"), str) or not isinstance(row.get("fields"), dict):
            raise DataError("columns 'text' and 'fields' must be a text and an object")
        if not row["fields"]:
            return LeftOut("no fields")
        gold = json.dumps(row["fields"])
        return Example(str(row["id"]), self.prompt(row["text"]), (gold,), gold)

    def parse(self, text):
        """Read the last JSON object of a completion, whatever stands around it."""
        decoder, found, place = json.JSONDecoder(), None, 0
        while (start := text.find("{", place)) >= 0:
            try:
                found, place = decoder.raw_decode(text, start)
            except ValueError:
                place = start + 1
            except RecursionError:  # nested deeper than anything that was asked for
                break
        return None if found is None else json.dumps(found)

    def plain(self, text):
        """Read a bare object, as a file of predictions holds it."""
        return self.parse(text)

    def trivial(self, golds):
        """Return the object that is right most often."""
        return max((gold[0] for gold in golds), key=[gold[0] for gold in golds].count)
