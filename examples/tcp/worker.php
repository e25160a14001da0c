<?php

declare(strict_types=1);

// A chat: each line goes to all clients.

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Tcp\Connections;
use PyRoadRunner\Tcp\Handler;
use PyRoadRunner\Tcp\Reply;
use PyRoadRunner\Tcp\Request;
use PyRoadRunner\Tcp\Server;

final class Chat implements Handler
{
    public function __construct(private readonly Connections $connections)
    {
    }

    public function onConnected(Request $request): Reply|string|null
    {
        return "welcome; HELP lists the commands\r\n";
    }

    public function onData(Request $request): Reply|string|null
    {
        $answer = null;
        foreach (explode("\r\n", rtrim($request->body, "\r\n")) as $line) { // several lines may arrive together
            $answer = match (strtoupper(trim($line))) {
                'HELP' => "HELP, WHO, QUIT; anything else is said to all\r\n",
                'WHO' => count($this->connections->list('chat')) . " here\r\n",
                'QUIT' => Reply::writeAndClose("bye\r\n"),
                default => $this->say("{$request->remoteAddr}: {$line}"),
            };
        }

        return $answer;
    }

    public function onClose(Request $request): void
    {
        $this->say("{$request->remoteAddr} has left");
    }

    private function say(string $text): ?string
    {
        foreach ($this->connections->list('chat') as $one) {
            $this->connections->write($one['uuid'], "{$text}\r\n");
        }

        return null;
    }
}

Server::run(new Chat(Connections::create()));
