from temporalio.api.common.v1 import message_pb2 as _message_pb2
from temporalio.api.failure.v1 import message_pb2 as _message_pb2_1
from temporalio.api.history.v1 import message_pb2 as _message_pb2_1_1
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Frame(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("id", "command", "options", "failure", "payloads", "header", "history_length", "run_id", "task_queue", "tick_time", "replay", "continue_as_new_suggested", "history_size", "wwpid")
    ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    TICK_TIME_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_AS_NEW_SUGGESTED_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SIZE_FIELD_NUMBER: _ClassVar[int]
    WWPID_FIELD_NUMBER: _ClassVar[int]
    id: int
    command: str
    options: bytes
    failure: _message_pb2_1.Failure
    payloads: _message_pb2.Payloads
    header: _message_pb2.Header
    history_length: int
    run_id: str
    task_queue: str
    tick_time: str
    replay: bool
    continue_as_new_suggested: bool
    history_size: int
    wwpid: int
    def __init__(self, id: _Optional[int] = ..., command: _Optional[str] = ..., options: _Optional[bytes] = ..., failure: _Optional[_Union[_message_pb2_1.Failure, _Mapping]] = ..., payloads: _Optional[_Union[_message_pb2.Payloads, _Mapping]] = ..., header: _Optional[_Union[_message_pb2.Header, _Mapping]] = ..., history_length: _Optional[int] = ..., run_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., tick_time: _Optional[str] = ..., replay: bool = ..., continue_as_new_suggested: bool = ..., history_size: _Optional[int] = ..., wwpid: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("workflow_execution", "workflow_type", "save_path", "last_event_id")
    WORKFLOW_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    SAVE_PATH_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_execution: _message_pb2.WorkflowExecution
    workflow_type: _message_pb2.WorkflowType
    save_path: str
    last_event_id: int
    def __init__(self, workflow_execution: _Optional[_Union[_message_pb2.WorkflowExecution, _Mapping]] = ..., workflow_type: _Optional[_Union[_message_pb2.WorkflowType, _Mapping]] = ..., save_path: _Optional[str] = ..., last_event_id: _Optional[int] = ...) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: Status
    def __init__(self, status: _Optional[_Union[Status, _Mapping]] = ...) -> None: ...

class History(_message.Message):
    __slots__ = ("history", "workflow_type")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    history: _message_pb2_1_1.History
    workflow_type: _message_pb2.WorkflowType
    def __init__(self, history: _Optional[_Union[_message_pb2_1_1.History, _Mapping]] = ..., workflow_type: _Optional[_Union[_message_pb2.WorkflowType, _Mapping]] = ...) -> None: ...
