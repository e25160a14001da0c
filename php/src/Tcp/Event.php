<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

/** What has happened to a connection. */
enum Event: string
{
    /** A client has connected; nothing is read yet. */
    case Connected = 'CONNECTED';
    /** A message has arrived. */
    case Data = 'DATA';
    /** The connection has ended; nothing can be written. */
    case Close = 'CLOSE';
}
