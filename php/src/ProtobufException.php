<?php

declare(strict_types=1);

namespace PyRoadRunner;

/** The bytes are not a complete protobuf message. */
final class ProtobufException extends \UnexpectedValueException
{
}
