<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Frames to and from one peer. Blocking. */
interface Relay
{
    /**
     * Writes one encoded frame, whole.
     *
     * @throws RelayException the peer has gone
     */
    public function send(string $frame): void;

    /**
     * Waits for the next frame; null when the peer closed between two frames.
     *
     * @throws FrameException what arrived is no frame
     * @throws RelayException the peer closed in the middle of a frame
     */
    public function receive(): ?Frame;

    /** Whether something has arrived; never blocks. */
    public function isReadable(): bool;

    /** Whether a long stream asks for a sign of life (PING) every few chunks: pipes do, sockets do not. */
    public function wantsPing(): bool;
}
