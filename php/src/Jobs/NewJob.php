<?php

declare(strict_types=1);

namespace PyRoadRunner\Jobs;

use PyRoadRunner\Protobuf;

/** A job to push. */
final class NewJob
{
    public readonly string $id;

    /**
     * @param string                              $name     the class or function that handles it
     * @param array<string, string|list<string>> $headers
     * @param int                                 $delay    seconds before it may run
     * @param int                                 $priority lower numbers run first; 0 = the pipeline's
     * @param bool                                $autoAck  acknowledged before it runs: it never runs twice, and is lost
     *                                                      when its worker dies
     * @param string|null                         $id       null = a random one
     */
    public function __construct(
        public readonly string $name,
        public readonly string $payload = '',
        public readonly array $headers = [],
        public readonly int $delay = 0,
        public readonly int $priority = 0,
        public readonly bool $autoAck = false,
        ?string $id = null,
    ) {
        $this->id = $id ?? \bin2hex(\random_bytes(16));
    }

    /** The job for a pipeline, as a message of `jobs`. */
    public function encode(string $pipeline): string
    {
        $message = Protobuf::bytes(1, $this->name) . Protobuf::bytes(2, $this->id) . Protobuf::bytes(3, $this->payload);
        foreach ($this->headers as $name => $values) {
            $list = '';
            foreach ((array) $values as $value) {
                $list .= Protobuf::bytes(1, $value);
            }
            $message .= Protobuf::bytes(4, Protobuf::bytes(1, (string) $name) . Protobuf::bytes(2, $list));
        }
        $options = Protobuf::int(1, $this->priority) . Protobuf::bytes(2, $pipeline) . Protobuf::int(3, $this->delay)
            . Protobuf::int(6, (int) $this->autoAck);

        return $message . Protobuf::bytes(5, $options);
    }
}
