<?php

declare(strict_types=1);

namespace PyRoadRunner;

/** One undecoded request: context, body, and the codec of the context. */
final class Payload
{
    /** @param int $codec codec bits of the frame's flags; the response has the same */
    public function __construct(
        public readonly string $context,
        public readonly string $body,
        public readonly int $codec,
    ) {
    }
}
