<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** The bytes are not a frame, or a frame can't be encoded. */
final class FrameException extends \RuntimeException
{
}
