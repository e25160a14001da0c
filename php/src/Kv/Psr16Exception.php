<?php

declare(strict_types=1);

namespace PyRoadRunner\Kv;

use Psr\SimpleCache\CacheException;

/** The server replied to a call of Psr16Cache with an error, or can't be reached: see the previous exception. */
final class Psr16Exception extends \RuntimeException implements CacheException
{
}
