<?php

declare(strict_types=1);

namespace PyRoadRunner;

/** Bytes that are no protobuf message, or a part of one. */
final class ProtobufException extends \UnexpectedValueException
{
}
