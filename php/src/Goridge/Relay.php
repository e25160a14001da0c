<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Frames to and from one peer. Blocking. */
interface Relay
{
    /**
     * Writes one whole encoded frame.
     *
     * @throws RelayException the peer has closed the relay
     */
    public function send(string $frame): void;

    /**
     * Waits for the next frame; null if the peer closed the relay between two frames.
     *
     * @throws FrameException the data is not a frame
     * @throws RelayException the peer closed the relay within a frame
     */
    public function receive(): ?Frame;

    /** Whether data has arrived; never blocks. */
    public function isReadable(): bool;

    /** Whether a long stream sends a PING every few chunks: over pipes, not over sockets. */
    public function wantsPing(): bool;
}
