<?php

declare(strict_types=1);

namespace PyRoadRunner\Centrifugo;

use PyRoadRunner\Rpc\Rpc;

/**
 * The API of Centrifugo, through the running server (its section `centrifuge`).
 *
 * Data that is a string is sent as it is, other data as JSON. Every method throws CentrifugoException if Centrifugo
 * answers with an error, RpcException if it can't be reached or refuses the call, and RelayException if the server can't
 * be reached.
 */
final class Centrifugo
{
    /** Fields with bytes: base64 in JSON. */
    private const BYTES = ['data', 'info', 'params', 'stream_data'];

    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** Through the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /**
     * Publishes into a channel.
     *
     * @param array<string, mixed> $options skip_history, tags, idempotency_key, delta, version, version_epoch
     *
     * @return array{offset?: int, epoch?: string} the position in the channel's history; empty without one
     */
    public function publish(string $channel, mixed $data, array $options = []): array
    {
        return $this->call('Publish', ['channel' => $channel, 'data' => $data] + $options);
    }

    /**
     * Publishes the same into several channels.
     *
     * @param list<string>         $channels
     * @param array<string, mixed> $options  as for publish()
     *
     * @return list<array<string, mixed>> one for each channel: `result` or `error`
     */
    public function broadcast(array $channels, mixed $data, array $options = []): array
    {
        return $this->call('Broadcast', ['channels' => $channels, 'data' => $data] + $options)['responses'] ?? [];
    }

    /**
     * Subscribes the user's connections to a channel.
     *
     * @param array<string, mixed> $options expire_at, info, client, session, data, recover_since, override, ...
     */
    public function subscribe(string $user, string $channel, array $options = []): void
    {
        $this->call('Subscribe', ['user' => $user, 'channel' => $channel] + $options);
    }

    /** @param array<string, mixed> $options client, session */
    public function unsubscribe(string $user, string $channel, array $options = []): void
    {
        $this->call('Unsubscribe', ['user' => $user, 'channel' => $channel] + $options);
    }

    /** @param array<string, mixed> $options disconnect (code, reason), client, session, whitelist */
    public function disconnect(string $user, array $options = []): void
    {
        $this->call('Disconnect', ['user' => $user] + $options);
    }

    /** @param array<string, mixed> $options client, session, expired, expire_at, info */
    public function refresh(string $user, array $options = []): void
    {
        $this->call('Refresh', ['user' => $user] + $options);
    }

    /** @return array<string, array<string, mixed>> the clients of a channel, by their ids */
    public function presence(string $channel): array
    {
        return $this->call('Presence', ['channel' => $channel])['presence'] ?? [];
    }

    /** @return array{num_clients: int, num_users: int} */
    public function presenceStats(string $channel): array
    {
        return $this->call('PresenceStats', ['channel' => $channel]) + ['num_clients' => 0, 'num_users' => 0];
    }

    /**
     * @param array<string, mixed> $options limit, since (offset, epoch), reverse
     *
     * @return array<string, mixed> publications, offset, epoch
     */
    public function history(string $channel, array $options = []): array
    {
        return $this->call('History', ['channel' => $channel] + $options) + ['publications' => []];
    }

    public function removeHistory(string $channel): void
    {
        $this->call('HistoryRemove', ['channel' => $channel]);
    }

    /** @return array<string, array<string, mixed>> the active channels, by name */
    public function channels(string $pattern = ''): array
    {
        return $this->call('Channels', ['pattern' => $pattern])['channels'] ?? [];
    }

    /** @return list<array<string, mixed>> the nodes of Centrifugo */
    public function nodes(): array
    {
        return $this->call('Info')['nodes'] ?? [];
    }

    /**
     * Any method of the API.
     *
     * @param array<string, mixed> $request its fields, as in Centrifugo's documentation
     *
     * @return array<string, mixed> the fields of the result; empty ones are left out
     */
    public function call(string $method, array $request = []): array
    {
        $response = $this->rpc->call("centrifuge.{$method}", (object) self::encoded($request)) ?? [];
        if (isset($response['error'])) {
            throw new CentrifugoException($response['error']['message'] ?? '', $response['error']['code'] ?? 0);
        }

        return self::decoded($response['result'] ?? []);
    }

    /**
     * @param array<mixed> $fields
     *
     * @return array<mixed>
     */
    private static function encoded(array $fields): array
    {
        foreach ($fields as $name => $value) {
            if ($value instanceof \DateTimeInterface) {
                $fields[$name] = $value->getTimestamp();
            } elseif (\in_array($name, self::BYTES, true)) {
                $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;
                $fields[$name] = \base64_encode(\is_string($value) ? $value : \json_encode($value, $flags));
            }
        }

        return $fields;
    }

    /**
     * @param array<mixed> $fields
     *
     * @return array<mixed>
     */
    private static function decoded(array $fields): array
    {
        foreach ($fields as $name => $value) {
            if (\is_array($value)) {
                $fields[$name] = $name === 'tags' ? $value : self::decoded($value);
            } elseif (\in_array($name, ['data', 'conn_info', 'chan_info'], true) && \is_string($value)) {
                $fields[$name] = \base64_decode($value);
            }
        }

        return $fields;
    }
}
