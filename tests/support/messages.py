"""A protobuf message with a field of every kind, built without a compiler."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto


def _message() -> type[Any]:
    file = descriptor_pb2.FileDescriptorProto(name="support.proto", package="support", syntax="proto3")
    item = file.message_type.add(name="Item")
    item.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    item.field.add(name="value", number=2, type=_FIELD.TYPE_BYTES, label=_FIELD.LABEL_OPTIONAL)
    order = file.message_type.add(name="Order")
    order.field.add(name="storage", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    order.field.add(
        name="items", number=2, type=_FIELD.TYPE_MESSAGE, type_name=".support.Item", label=_FIELD.LABEL_REPEATED
    )
    order.field.add(name="process_num", number=3, type=_FIELD.TYPE_INT64, label=_FIELD.LABEL_OPTIONAL)
    order.field.add(name="names", number=4, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_REPEATED)
    entry = order.nested_type.add(name="EnvEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    order.field.add(
        name="env", number=5, type=_FIELD.TYPE_MESSAGE, type_name=".support.Order.EnvEntry", label=_FIELD.LABEL_REPEATED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName("support.Order"))
    return made


Order: type[Any] = _message()
"""``storage: str, items: [{key: str, value: bytes}], process_num: int64, names: [str], env: {str: str}``."""
