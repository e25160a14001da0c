<?php

// Runs the scripts of {{root}} as PHP-FPM would: $_GET, $_POST, header(), sessions, exit. Each process handles one
// request (http.pool.max_jobs: 1), since such scripts expect a clean start.

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

$script = PyRoadRunner\Http\Script::next({{folder}});
if ($script !== null) {
    require $script;
}
