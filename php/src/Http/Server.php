<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use PyRoadRunner\Goridge\RelayException;

/** The loop of an HTTP worker in one call. */
final class Server
{
    /**
     * Calls the handler for each request until the server says stop.
     *
     * What the handler throws is answered with an error (status 500, its text in the server's log), and the worker
     * lives on.
     *
     * @param callable(Request, HttpWorker): (Response|string) $handler a string is a 200 with this body
     */
    public static function run(callable $handler, ?HttpWorker $worker = null): void
    {
        $worker ??= HttpWorker::create();
        try {
            while (($request = $worker->waitRequest()) !== null) {
                try {
                    $response = $handler($request, $worker);
                    if ($response instanceof Response) {
                        $worker->respond($response->status, $response->body, $response->headers);
                    } else {
                        $worker->respond(200, $response);
                    }
                } catch (RelayException $e) {
                    throw $e;
                } catch (\Throwable $e) {
                    $worker->error((string) $e);
                }
                unset($request, $response, $e); // files, generators and traces go before the wait, not after it
            }
        } catch (RelayException) {
            // The server has gone without a word: there is nobody left to work for.
        }
    }
}
