<?php

declare(strict_types=1);

namespace PyRoadRunner\Rpc;

/** The server replied to a call with an error; the message is its text. */
final class RpcException extends \RuntimeException
{
}
