<?php

declare(strict_types=1);

namespace PyRoadRunner\Centrifugo;

/** Centrifugo answered a call with an error; the code is Centrifugo's. */
final class CentrifugoException extends \RuntimeException
{
}
