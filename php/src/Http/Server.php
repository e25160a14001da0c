<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use PyRoadRunner\Goridge\RelayException;

/** The loop of an HTTP worker in one call. */
final class Server
{
    /**
     * Calls the handler for each request until the server stops the worker.
     *
     * An exception of the handler becomes an error response (status 500, its text in the server's log), and the worker
     * keeps running.
     *
     * @param callable(Request, HttpWorker): (Response|string) $handler a string is sent as the body with status 200
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
                unset($request, $response, $e); // frees files, generators and traces before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }
}
