<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Bytes that are no frame, or a frame that cannot be built. */
final class FrameException extends \RuntimeException
{
}
