<?php

declare(strict_types=1);

namespace PyRoadRunner\Kv;

use Psr\SimpleCache\CacheException;

/** The server said no to a call of Psr16Cache, or could not be reached: the previous exception has which. */
final class Psr16Exception extends \RuntimeException implements CacheException
{
}
