"""The class files of the load ``boot``: a small framework, generated into a folder when a subject starts.

20 modules, each with a contract, a base class and 8 services. ``php/work.php`` loads them by an autoloader, as
Composer's does, and makes an object of each service.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

MODULES = 20
SERVICES = 8
CLASSES = MODULES * (SERVICES + 2)
VARIABLE = "BENCH_CLASSES"  # names the folder to the PHP processes
METHODS = 8

CONTRACT = """<?php

declare(strict_types=1);

namespace Bench\\Module{module};

interface Contract
{{
    public function name(): string;

    /** @return array<string, mixed> */
    public function settings(): array;
}}
"""

BASE = """<?php

declare(strict_types=1);

namespace Bench\\Module{module};

abstract class Base implements Contract
{{
    /** @param array<string, mixed> $settings */
    public function __construct(protected array $settings = ['module' => {module}, 'debug' => false])
    {{
    }}

    public function name(): string
    {{
        return static::class;
    }}

    public function settings(): array
    {{
        return $this->settings;
    }}
}}
"""

SERVICE = """<?php

declare(strict_types=1);

namespace Bench\\Module{module};

final class Service{service} extends Base
{{
    private const EVENTS = ['created', 'updated', 'deleted', 'restored'];

    /** @var array<string, list<callable>> */
    private array $listeners = [];
    private ?Contract $next = null;
    private int $handled = 0;
{methods}}}
"""

METHOD = """
    /**
     * @param array<string, mixed> $input
     *
     * @return array<string, mixed>
     */
    public function action{method}(array $input, ?Contract $next = null): array
    {{
        $this->next = $next ?? $this->next;
        foreach (self::EVENTS as $event) {{
            foreach ($this->listeners[$event] ?? [] as $listener) {{
                $input = $listener($input, $event, {method}) ?? $input;
            }}
        }}
        ++$this->handled;

        return ['service' => '{module}.{service}', 'handled' => $this->handled] + $input;
    }}
"""


def write(folder: Path) -> dict[str, str]:
    """Write the files, and return the variables by which the PHP processes find them.

    They are an hour old: opcache does not keep files younger than two seconds.
    """
    services = []
    for module in range(1, MODULES + 1):
        home = folder / f"Module{module}"
        home.mkdir(parents=True)
        (home / "Contract.php").write_text(CONTRACT.format(module=module))
        (home / "Base.php").write_text(BASE.format(module=module))
        for service in range(1, SERVICES + 1):
            names = {"module": module, "service": service}
            methods = "".join(METHOD.format(method=method, **names) for method in range(1, METHODS + 1))
            (home / f"Service{service}.php").write_text(SERVICE.format(methods=methods, **names))
            services.append(f"Bench\\Module{module}\\Service{service}")
    listed = "".join(f"    {name}::class,\n" for name in services)
    (folder / "services.php").write_text(f"<?php\n\nreturn [\n{listed}];\n")
    then = time.time() - 3600
    for file in folder.rglob("*.php"):
        os.utime(file, (then, then))
    return {VARIABLE: str(folder)}
