<?php

declare(strict_types=1);

namespace PyRoadRunner\Mercure;

use PyRoadRunner\Rpc\Rpc;

/**
 * The server's Mercure hub, from any worker: publish without a token.
 *
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class Mercure
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The hub of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /**
     * Publishes an update.
     *
     * @param string|list<string> $topics  the first is the canonical one
     * @param bool                $private only for subscribers whose token permits one of the topics
     * @param string|null         $id      null = the hub makes one
     * @param string|null         $type    name of the event
     * @param int|null            $retry   milliseconds before a client connects again
     *
     * @return string the id of the update
     */
    public function publish(
        string|array $topics,
        string $data = '',
        bool $private = false,
        ?string $id = null,
        ?string $type = null,
        ?int $retry = null,
    ): string {
        $request = [
            'topics' => \array_values((array) $topics),
            'data' => $data,
            'private' => $private,
            'id' => $id ?? '',
            'type' => $type ?? '',
            'retry' => $retry ?? 0,
        ];

        return $this->rpc->call('mercure.Publish', $request)['id'];
    }
}
