<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** The relay to the server could not be opened, or was cut. */
final class RelayException extends \RuntimeException
{
}
