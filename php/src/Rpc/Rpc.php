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

    /** @param string $address tcp://host:port or unix://path; connected to with the first call */
    public function __construct(public readonly string $address)
    {
    }

    /** The RPC of the server that started this process (RR_RPC), else its default address. */
    public static function create(): self
    {
        return new self(getenv('RR_RPC') ?: 'tcp://127.0.0.1:6001');
    }

    /**
     * @param string $method   "service.Method"
     * @param mixed  $argument sent as JSON; null: the method gets none
     *
     * @throws RpcException   the server says no
     * @throws RelayException nobody listens, or the connection was cut; the next call connects anew
     * @throws \JsonException argument or result are no JSON
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
     * @throws RpcException   the server says no
     * @throws RelayException nobody listens, or the connection was cut; the next call connects anew
     */
    public function callRaw(string $method, string $argument = ''): string
    {
        return $this->exchange($method, $argument, Frame::RAW);
    }

    /**
     * A call whose argument and result are protobuf messages, encoded: see PyRoadRunner\Protobuf.
     *
     * @throws RpcException   the server says no
     * @throws RelayException nobody listens, or the connection was cut; the next call connects anew
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
            $this->relay ??= new SocketRelay($this->address);
            $this->relay->send(Frame::encode($codec, $method . $argument, [$this->sequence, $size]));
            $reply = $this->relay->receive() ?? throw new RelayException("{$this->address} has closed the connection");
            if (\count($reply->options) !== 2 || $reply->options[0] !== $this->sequence) {
                throw new FrameException("the answer to {$method} belongs to another call");
            }
        } catch (RelayException|FrameException $e) {
            $this->relay = null; // what is left on this connection cannot be told apart any more
            throw $e;
        }
        $result = substr($reply->payload, $reply->options[1]);
        if ($reply->flags & Frame::ERROR) {
            throw new RpcException($result);
        }

        return $result;
    }
}
