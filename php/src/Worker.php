<?php

declare(strict_types=1);

namespace PyRoadRunner;

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Goridge\FrameException;
use PyRoadRunner\Goridge\Relay;
use PyRoadRunner\Goridge\RelayFactory;

/**
 * The worker's side of the exchange: one request in, one answer out, one at a time.
 *
 * Answers the server's handshake and leaves on its stop frame from inside waitPayload(). Each payload is answered by
 * exactly one of respond(), error(), stop(), or by any number of stream() closed by respond() or endStream().
 */
final class Worker
{
    /** Over pipes every fifth chunk is followed by one that asks for a PONG: the 6th, 11th, ... of a stream. */
    private const PING_EVERY = 5;

    private int $codec = 0;
    private int $chunks = 0;
    private bool $awaitsPong = false;
    private bool $awaitsAnswer = false;
    private bool $abandoned = false;

    /** @var list<Frame> what came while a stream was running and is no word about it (the server's stop order) */
    private array $early = [];

    public function __construct(private readonly Relay $relay)
    {
        StrayOutput::toStderr();
    }

    /** The worker of the server that started this process: its relay is in RR_RELAY. */
    public static function create(): self
    {
        StrayOutput::toStderr(); // before the relay: its warnings must not reach stdout either

        return new self(RelayFactory::create((string) getenv('RR_RELAY')));
    }

    /**
     * Waits for the next request; null when the server says stop or has gone: leave the loop and exit.
     *
     * @throws FrameException the server sent something that is no request
     */
    public function waitPayload(): ?Payload
    {
        if (\ob_get_level() === 0) {
            StrayOutput::toStderr(); // the application closed every output buffer, ours too
        }
        while (($frame = \array_shift($this->early) ?? $this->relay->receive()) !== null) {
            if ($frame->flags & Frame::CONTROL) {
                if (!$this->control($frame->payload)) {
                    return null;
                }
            } elseif (!($frame->stream & (Frame::STOP | Frame::PONG))) { // those came too late for their stream
                $size = $frame->options[0] ?? 0;
                if ($size > \strlen($frame->payload)) {
                    throw new FrameException("context of {$size} bytes is longer than its frame");
                }
                $this->codec = $frame->flags & Frame::CODECS;
                $this->chunks = 0;
                $this->awaitsPong = $this->abandoned = false;
                $this->awaitsAnswer = true;

                return new Payload(\substr($frame->payload, 0, $size), \substr($frame->payload, $size), $this->codec);
            }
        }

        return null;
    }

    /** Answers, or sends the last frame of a stream. */
    public function respond(string $body, string $context = ''): void
    {
        if ($this->claimAnswer()) {
            $this->relay->send(Frame::encodePayload($context, $body, $this->codec));
        }
    }

    /**
     * Sends one frame of an answer of many.
     *
     * @return bool false once the server wants no more of it (its client has gone): the stream is closed already, stop
     *              producing
     */
    public function stream(string $body, string $context = ''): bool
    {
        if ($this->abandoned || $this->isStopped()) {
            return false;
        }
        if (!$this->awaitsAnswer) {
            throw new \LogicException('no request is waiting for an answer');
        }
        $bits = Frame::STREAM;
        if ($this->chunks > 0 && $this->chunks % self::PING_EVERY === 0 && !$this->awaitsPong && $this->relay->wantsPing()) {
            $bits |= Frame::PING;
            $this->awaitsPong = true;
        }
        ++$this->chunks;
        $this->relay->send(Frame::encodePayload($context, $body, $this->codec, $bits));

        return true;
    }

    /** Closes a stream. Without a chunk before it this is an empty answer. */
    public function endStream(): void
    {
        $this->respond('');
    }

    /**
     * Answers that the request failed; the worker lives on. In the middle of a stream the server cuts the client's
     * connection and replaces the worker. When nothing waits for an answer, the text goes to stderr.
     */
    public function error(string $text): void
    {
        if ($this->abandoned || !$this->awaitsAnswer) {
            \fwrite(STDERR, $text . "\n");

            return;
        }
        $this->awaitsAnswer = false;
        $this->relay->send(Frame::encode(Frame::ERROR, $text));
    }

    /** Hands the request back unanswered and asks to be replaced: another worker gets it. */
    public function stop(): void
    {
        $this->respond('', '{"stop":true}');
    }

    /** Whether this was answered: false when the process is to end. */
    private function control(string $payload): bool
    {
        $order = \json_decode($payload, true);
        if (!empty($order['stop'])) {
            return false;
        }
        if (empty($order['pid'])) {
            throw new FrameException("unknown control frame: {$payload}");
        }
        $this->relay->send(Frame::encode(Frame::CONTROL, '{"pid":' . \getmypid() . '}'));

        return true;
    }

    /** Takes the right to send the last frame; false when the server wants no answer any more. */
    private function claimAnswer(): bool
    {
        if ($this->abandoned) {
            return false;
        }
        if (!$this->awaitsAnswer) {
            throw new \LogicException('no request is waiting for an answer');
        }
        $this->awaitsAnswer = false;

        return true;
    }

    /**
     * Reads what the server says about a running stream; on STOP closes it with an empty frame.
     *
     * RoadRunner's own client looks at its pipe only while a PONG is due; looking before every chunk costs one poll and
     * notices a client that has gone within one chunk.
     */
    private function isStopped(): bool
    {
        while ($this->chunks > 0 && $this->awaitsAnswer && $this->relay->isReadable()) {
            $frame = $this->relay->receive();
            if ($frame === null || $frame->stream & Frame::STOP) {
                $this->abandoned = true;
                $this->awaitsAnswer = false;
                if ($frame !== null) {
                    $this->relay->send(Frame::encodePayload('', '', $this->codec));
                }
            } elseif ($frame->stream & Frame::PONG) {
                $this->awaitsPong = false;
            } else {
                $this->early[] = $frame;
            }
        }

        return $this->abandoned;
    }
}
