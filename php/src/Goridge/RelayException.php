<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** The relay to the server can't be opened, or was lost. */
final class RelayException extends \RuntimeException
{
}
