<?php

declare(strict_types=1);

namespace PyRoadRunner;

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Goridge\FrameException;
use PyRoadRunner\Goridge\Relay;
use PyRoadRunner\Goridge\RelayFactory;

/**
 * The worker's side of the exchange: receives one request, sends its response, one at a time.
 *
 * waitPayload() also answers the server's handshake and returns null on its stop frame. Each payload needs exactly one
 * call of respond(), error() or stop(), or any number of calls of stream() followed by respond() or endStream().
 */
final class Worker
{
    /** Over pipes, the chunk after every fifth one requests a PONG: the 6th, 11th, ... of a stream. */
    private const PING_EVERY = 5;

    private int $codec = 0;
    private int $chunks = 0;
    private bool $awaitsPong = false;
    private bool $awaitsAnswer = false;
    private bool $abandoned = false;

    /** @var list<Frame> frames that arrived during a stream and do not concern it (the server's stop order) */
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
     * Waits for the next request; null when the server stops the worker or has exited: leave the loop and exit.
     *
     * @throws FrameException the server sent an invalid request
     */
    public function waitPayload(): ?Payload
    {
        if (\ob_get_level() === 0) {
            StrayOutput::toStderr(); // the application may have closed all output buffers, also that of StrayOutput
        }
        while (($frame = \array_shift($this->early) ?? $this->relay->receive()) !== null) {
            if ($frame->flags & Frame::CONTROL) {
                if (!$this->control($frame->payload)) {
                    return null;
                }
            } elseif (!($frame->stream & (Frame::STOP | Frame::PONG))) { // signals that arrive after their stream are ignored
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

    /** Sends the response, or the last frame of a stream. */
    public function respond(string $body, string $context = ''): void
    {
        if ($this->claimAnswer()) {
            $this->relay->send(Frame::encodePayload($context, $body, $this->codec));
        }
    }

    /**
     * Sends one frame of a streamed response.
     *
     * @return bool false if the server has ended the stream (the client disconnected): the stream is then closed; stop
     *              producing
     */
    public function stream(string $body, string $context = ''): bool
    {
        if ($this->abandoned || $this->isStopped()) {
            return false;
        }
        if (!$this->awaitsAnswer) {
            throw new \LogicException('no request waits for a response');
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

    /** Closes a stream. Without a chunk before it, this is an empty response. */
    public function endStream(): void
    {
        $this->respond('');
    }

    /**
     * Reports that the request failed; the worker keeps running. Within a stream, the server closes the client's
     * connection and replaces the worker. If no request waits for a response, the text goes to stderr.
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

    /**
     * The error for a context that cannot be read. The usual cause: the server started this worker for another plugin.
     *
     * @param string $what   request, job, ...
     * @param string $serves the plugin that the caller serves, as in RR_MODE
     */
    public function unreadable(string $what, string $why, string $serves): void
    {
        $mode = getenv('RR_MODE') ?: $serves;
        $hint = $mode === $serves
            ? ''
            : "; the server started this worker for `{$mode}`, but it serves `{$serves}` (see RR_MODE)";
        $this->error("cannot read the {$what}: {$why}{$hint}");
    }

    /** Returns the request without a response and asks to be replaced: another worker gets the request. */
    public function stop(): void
    {
        $this->respond('', '{"stop":true}');
    }

    /** Handles a control frame; false if the process must exit. */
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

    /** Claims the right to send the last frame; false if the server no longer expects a response. */
    private function claimAnswer(): bool
    {
        if ($this->abandoned) {
            return false;
        }
        if (!$this->awaitsAnswer) {
            throw new \LogicException('no request waits for a response');
        }
        $this->awaitsAnswer = false;

        return true;
    }

    /**
     * Reads the server's frames about a running stream; on STOP closes it with an empty frame.
     *
     * RoadRunner's own client reads its pipe only while a PONG is due. Checking before every chunk costs one poll and
     * detects a disconnected client within one chunk.
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
