<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

use PyRoadRunner\Goridge\RelayException;

/** The loop of a TCP worker in one call. */
final class Server
{
    /**
     * Calls the handler for each event until the server stops the worker. An exception closes the connection, its text is
     * in the server's log, and the worker keeps running.
     */
    public static function run(Handler $handler, ?TcpWorker $worker = null): void
    {
        $worker ??= TcpWorker::create();
        try {
            while (($request = $worker->waitRequest()) !== null) {
                try {
                    $worker->reply(self::handle($handler, $request));
                } catch (RelayException $e) {
                    throw $e;
                } catch (\Throwable $e) {
                    $worker->error((string) $e);
                }
                unset($request, $e); // frees messages and traces before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }

    private static function handle(Handler $handler, Request $request): Reply
    {
        if ($request->event === Event::Close) {
            $handler->onClose($request);

            return Reply::read();
        }
        $answer = $request->event === Event::Data ? $handler->onData($request) : $handler->onConnected($request);

        return match (true) {
            $answer instanceof Reply => $answer,
            $answer === null => Reply::read(),
            default => Reply::write($answer),
        };
    }
}
