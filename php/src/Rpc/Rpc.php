<?php

declare(strict_types=1);

namespace PyRoadRunner\Rpc;

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Goridge\FrameException;
use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Goridge\SocketRelay;

/** Calls methods of the running server (informer.Workers, resetter.Reset, ...). One call at a time. */
final class Rpc
{
    private ?SocketRelay $relay = null;
    private int $sequence = 0;

    /** @param string $address tcp://host:port or unix://path; the first call connects */
    public function __construct(public readonly string $address)
    {
    }

    /** The RPC of the server that started this process (RR_RPC), otherwise of the default address. */
    public static function create(): self
    {
        return new self(getenv('RR_RPC') ?: 'tcp://127.0.0.1:6001');
    }

    /**
     * @param string $method   "service.Method"
     * @param mixed  $argument sent as JSON; null: no argument
     *
     * @throws RpcException   the server replied with an error
     * @throws RelayException the connect failed or the connection was lost; the next call connects again
     * @throws \JsonException argument or result can't be converted from or to JSON
     */
    public function call(string $method, mixed $argument = null): mixed
    {
        $json = $argument === null ? '' : json_encode($argument, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
        $result = $this->exchange($method, $json, Frame::JSON);

        return $result === '' ? null : json_decode($result, true, 512, JSON_THROW_ON_ERROR);
    }

    /**
     * A call whose argument and result are bytes.
     *
     * @throws RpcException   the server replied with an error
     * @throws RelayException the connect failed or the connection was lost; the next call connects again
     */
    public function callRaw(string $method, string $argument = ''): string
    {
        return $this->exchange($method, $argument, Frame::RAW);
    }

    /**
     * A call whose argument and result are encoded protobuf messages: see PyRoadRunner\Protobuf.
     *
     * @throws RpcException   the server replied with an error
     * @throws RelayException the connect failed or the connection was lost; the next call connects again
     */
    public function callProto(string $method, string $message): string
    {
        return $this->exchange($method, $message, Frame::PROTO);
    }

    private function exchange(string $method, string $argument, int $codec): string
    {
        $this->sequence = ($this->sequence + 1) & 0xFFFFFFFF;
        $size = \strlen($method);
        try {
            $this->relay ??= $this->connect();
            $this->relay->send(Frame::encode($codec, $method . $argument, [$this->sequence, $size]));
            $reply = $this->relay->receive() ?? throw new RelayException("{$this->address} has closed the connection");
            if (\count($reply->options) !== 2 || $reply->options[0] !== $this->sequence) {
                throw new FrameException("the reply to {$method} belongs to another call");
            }
        } catch (RelayException|FrameException $e) {
            $this->relay = null; // replies on this connection can no longer be matched to calls
            throw $e;
        }
        $result = substr($reply->payload, $reply->options[1]);
        if ($reply->flags & Frame::ERROR) {
            throw new RpcException($result);
        }

        return $result;
    }

    private function connect(): SocketRelay
    {
        try {
            return new SocketRelay($this->address);
        } catch (RelayException $e) {
            $hint = getenv('RR_MODE') !== false && !getenv('RR_RPC')
                ? "RR_RPC is not set: the server's config has no section `rpc`"
                : 'is the server running (rr serve), with this `rpc.listen`?';
            throw new RelayException("{$e->getMessage()}; {$hint}", 0, $e);
        }
    }
}
