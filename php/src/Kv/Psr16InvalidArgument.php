<?php

declare(strict_types=1);

namespace PyRoadRunner\Kv;

use Psr\SimpleCache\InvalidArgumentException;

/** A key, a value or a lifetime that PSR-16 does not allow. */
final class Psr16InvalidArgument extends \InvalidArgumentException implements InvalidArgumentException
{
}
