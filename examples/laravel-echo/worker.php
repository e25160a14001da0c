<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

/** What Laravel's broadcaster does with an application of websocket.apps. */
final class Broadcaster
{
    public function __construct(
        private readonly string $id,
        public readonly string $key,
        private readonly string $secret,
        private readonly string $host,
        private readonly string $port,
    ) {
    }

    /** Permits a connection to subscribe to a channel. */
    public function auth(string $channel, string $socketId, ?array $member = null): string
    {
        $data = $member === null ? null : json_encode($member, JSON_THROW_ON_ERROR);
        $text = implode(':', array_filter([$socketId, $channel, $data], is_string(...)));
        $reply = ['auth' => "$this->key:" . hash_hmac('sha256', $text, $this->secret)];

        return json_encode($reply + ($data === null ? [] : ['channel_data' => $data]), JSON_THROW_ON_ERROR);
    }

    /** Publishes an event to all subscribers of a channel but one. */
    public function publish(string $channel, string $event, array $data, string $exceptSocketId): void
    {
        $fields = ['name' => $event, 'channels' => [$channel], 'data' => json_encode($data, JSON_THROW_ON_ERROR)];
        if ($exceptSocketId !== '') {
            $fields['socket_id'] = $exceptSocketId;
        }
        $body = json_encode($fields, JSON_THROW_ON_ERROR);
        $path = "/apps/$this->id/events";
        $query = http_build_query([
            'auth_key' => $this->key,
            'auth_timestamp' => time(),
            'auth_version' => '1.0',
            'body_md5' => md5($body),
        ]);
        $signature = hash_hmac('sha256', "POST\n$path\n$query", $this->secret);
        $request = ['method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body, 'timeout' => 10];
        $url = "http://$this->host:$this->port$path?$query&auth_signature=$signature";
        if (file_get_contents($url, context: stream_context_create(['http' => $request])) === false) {
            throw new RuntimeException('the event could not be published');
        }
    }
}

$broadcaster = new Broadcaster(...array_map(getenv(...), [
    'REVERB_APP_ID', 'REVERB_APP_KEY', 'REVERB_APP_SECRET', 'REVERB_HOST', 'REVERB_PORT',
]));
$page = str_replace('{key}', htmlspecialchars($broadcaster->key), file_get_contents(__DIR__ . '/page.html'));
$headers = [
    'Content-Type' => 'text/html; charset=utf-8',
    'Content-Security-Policy' => "default-src 'self'; img-src data:; style-src 'self'",
];

Server::run(static function (Request $request) use ($broadcaster, $page, $headers): Response|string {
    if ($request->method === 'GET') {
        return match (true) {
            $request->path() !== '/' => new Response(404, "not found\n"),
            !is_dir(__DIR__ . '/public/node_modules') => new Response(503, "Run this first: npm install --prefix public\n"),
            default => new Response(200, $page, $headers),
        };
    }
    parse_str($request->body, $form);
    $form = $request->parsed ?? $form;
    $user = (string) ($request->query['name'] ?? ''); // your application asks its session
    $channel = (string) ($form['channel_name'] ?? '');

    switch ($request->path()) {
        case '/broadcasting/auth':
            return match ($channel) {
                'presence-room' => $broadcaster->auth($channel, $form['socket_id'], ['user_id' => $user, 'user_info' => ['name' => $user]]),
                "private-users.$user" => $broadcaster->auth($channel, $form['socket_id']),
                default => new Response(403, "this channel is not for you\n"),
            };
        case '/messages':
            $message = ['from' => $user, 'text' => $form['text']];
            $broadcaster->publish('presence-room', 'message', $message, $request->header('X-Socket-ID'));

            return new Response(204);
        case '/waves':
            $broadcaster->publish("private-users.$form[to]", 'wave', ['from' => $user], '');

            return new Response(204);
        default:
            return new Response(404, "not found\n");
    }
});
