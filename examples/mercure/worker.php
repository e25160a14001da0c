<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Mercure\Mercure;

$hub = Mercure::create();

Server::run(static function (Request $request) use ($hub): Response|string {
    if ($request->method === 'POST') {
        $price = ['book' => 1, 'price' => random_int(10, 99)];

        return $hub->publish('https://example.com/books/1', json_encode($price));
    }

    return new Response(headers: ['Content-Type' => 'text/html; charset=utf-8'], body: <<<'HTML'
        <!doctype html>
        <title>Prices</title>
        <p>Price: <output id="price">?</output> <button id="change">change it</button></p>
        <script>
            const hub = new URL('/.well-known/mercure', location);
            hub.searchParams.append('topic', 'https://example.com/books/{id}');
            hub.searchParams.append('lastEventID', 'earliest');
            new EventSource(hub).onmessage = ({data}) => { price.value = JSON.parse(data).price; };
            change.onclick = () => fetch('/', {method: 'POST'});
        </script>
        HTML);
});
