"""This module writes an ONNX graph one operation at a time."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from butaca.extras import needed

if TYPE_CHECKING:
    from onnx import ModelProto

#: Of a value in the graph.
Name: TypeAlias = str

#: The set of operations, and the form of the file: read by onnxruntime 1.17 and newer.
OPSET, FORM = 18, 9

#: A time before all others, in seconds.
NEVER = -1e18


class Graph:
    """A Graph holds operations, constants and inputs, in the order in which they were added."""

    def __init__(self) -> None:
        with needed("An export to ONNX"):
            self._onnx = import_module("onnx")
        self._helper: Any = self._onnx.helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._count = 0

    def kind(self, name: str) -> int:
        """Returns ONNX's number of a type, such as "float32"."""
        number: int = self._helper.np_dtype_to_tensor_dtype(np.dtype(name))
        return number

    def takes(self, name: Name, kind: str, *, shape: Sequence[int | str]) -> Name:
        """Adds an input."""
        self._inputs.append(self._helper.make_tensor_value_info(name, self.kind(kind), shape))
        return name

    def of(self, value: np.ndarray | np.generic | float) -> Name:
        """Adds a constant."""
        name = self._new("c")
        self._constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operation: str, *inputs: Name, **attributes: Any) -> Name:
        """Adds an operation, and gives its value."""
        name = self._new("v")
        self._nodes.append(self._helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def sum(self, x: Name, *, axis: int, keep: bool = True) -> Name:
        """Adds a sum over an axis."""
        return self.add("ReduceSum", x, self.of(np.array([axis], np.int64)), keepdims=int(keep))

    def column(self, x: Name) -> Name:
        """Gives [n] as [n, 1]."""
        return self.add("Unsqueeze", x, self.of(np.array([1], np.int64)))

    def row(self, x: Name) -> Name:
        """Gives [n] as [1, n]."""
        return self.add("Unsqueeze", x, self.of(np.array([0], np.int64)))

    def latest(self, times: Name) -> Name:
        """Gives the latest of some times [1]; of none, one before all others."""
        some = self.add("Concat", times, self.of(np.array([NEVER])), axis=0)
        return self.add("ReduceMax", some, self.of(np.array([0], np.int64)), keepdims=1)

    def order(self, times: Name) -> tuple[Name, Name]:
        """Gives how many times lie after each, and how many are equal to it, int64 [n] each."""
        across, down = self.row(times), self.column(times)
        found = []
        for operation in ("Greater", "Equal"):
            compared = self.add("Cast", self.add(operation, across, down), to=self.kind("int64"))
            found.append(self.sum(compared, axis=1, keep=False))
        return found[0], found[1]

    def model(self, value: Name, name: Name, *, shape: Sequence[int], doc: str) -> ModelProto:
        """Returns the whole, checked, with one value as its answer.

        Args:
            value: to answer with.
            name: what it is called outside.
            shape: of it.
            doc: what a reader should know.
        """
        self._nodes.append(self._helper.make_node("Identity", [value], [name]))
        answer = self._helper.make_tensor_value_info(name, self.kind("float32"), shape)
        graph = self._helper.make_graph(
            self._nodes, "butaca_query_tower", self._inputs, [answer], self._constants, doc_string=doc
        )
        made: ModelProto = self._helper.make_model(
            graph,
            opset_imports=[self._helper.make_opsetid("", OPSET)],
            ir_version=FORM,
            producer_name="butaca",
        )
        self._onnx.checker.check_model(made, full_check=True)
        return made

    def _new(self, kind: str) -> Name:
        self._count += 1
        return f"{kind}{self._count}"
