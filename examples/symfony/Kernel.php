<?php

declare(strict_types=1);

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Compiler\CompilerPassInterface;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\Cookie;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

/** A whole Symfony application in one file; yours is in src/. */
final class Kernel extends BaseKernel implements CompilerPassInterface
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getCacheDir(): string
    {
        return sys_get_temp_dir() . '/rr-symfony/' . posix_getuid() . '/' . $this->environment;
    }

    public function getLogDir(): string
    {
        return $this->getCacheDir();
    }

    /** Before Symfony 6.1 a listener sends streamed responses while the kernel runs; here the worker does it. */
    public function process(ContainerBuilder $container): void
    {
        $container->removeDefinition('streamed_response_listener');
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', ['secret' => 'change me', 'test' => false]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('hello', '/hello/{name}')->controller([$this, 'hello']);
        $routes->add('form', '/form')->controller([$this, 'form'])->methods(['POST']);
        $routes->add('stream', '/stream')->controller([$this, 'stream']);
        $routes->add('file', '/file')->controller([$this, 'file']);
    }

    public function hello(Request $request, string $name): Response
    {
        $response = new JsonResponse([
            'name' => $name,
            'uri' => $request->getUri(),
            'query' => $request->query->all(),
            'client' => $request->getClientIp(),
            'user' => $request->getUser(),
            'cookie' => $request->cookies->get('c'),
            'content' => $request->getContent(),
        ]);
        $response->headers->setCookie(Cookie::create('seen', $name));

        return $response;
    }

    public function form(Request $request): Response
    {
        $file = $request->files->get('file');
        $target = $file?->move(sys_get_temp_dir(), uniqid('rr-upload-'));
        $data = ['fields' => $request->request->all(), 'file' => $target ? file_get_contents((string) $target) : null];
        $target && unlink((string) $target);

        return new JsonResponse($data + ['name' => $file?->getClientOriginalName()]);
    }

    public function stream(): Response
    {
        return new StreamedResponse(static function (): void {
            for ($i = 3; $i > 0; --$i) {
                echo "{$i}\n";
                ob_flush(); // sends this piece now
            }
        });
    }

    public function file(): Response
    {
        return new BinaryFileResponse(__FILE__);
    }
}
