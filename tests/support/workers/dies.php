<?php

// An HTTP worker whose paths fail in all the ways PHP can fail.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Worker;

final class Cart
{
    public function total(): int
    {
        try {
            return $this->find();
        } catch (InvalidArgumentException $e) {
            throw new RuntimeException('no price for item 7', 3, $e);
        }
    }

    private function find(): int
    {
        throw new InvalidArgumentException('bad id');
    }
}

if (($argv[1] ?? '') === 'uncaught') { // a worker that catches nothing
    $worker = Worker::create();
    while (($payload = $worker->waitPayload()) !== null) {
        fwrite(STDERR, "before the cart\n");
        (new Cart())->total();
    }
    exit;
}

fwrite(STDERR, "booting\n");
Server::run(static function (Request $request): string {
    switch ($request->path()) {
        case '/throw': return (string) (new Cart())->total();
        case '/warning': return (string) $undefined;
        case '/say': fwrite(STDERR, "plain words\n"); return 'said';
        case '/colour': fwrite(STDERR, "\e[31mred\e[0m \e]0;title\x07\e[2Jend\n"); return 'said';
        case '/exit': fwrite(STDERR, "last words\n"); exit(3);
        case '/quiet-exit': exit(0);
        case '/dd': print_r(['one' => 1]); exit(1);
        case '/time': set_time_limit(1); while (true);
        case '/endless': fwrite(STDERR, "in the loop\n"); while (true);
        case '/memory': ini_set('memory_limit', '20M'); for ($a = [];;) { $a[] = str_repeat('x', 100_000); }
        case '/segfault': posix_kill(getmypid(), SIGSEGV); sleep(1000);
        case '/killed': posix_kill(getmypid(), SIGKILL); sleep(1000);
        case '/echo': while (ob_get_level() > 0) { ob_end_flush(); } echo 'forgotten'; return 'answer';
        default: return 'fine';
    }
});
