package sample;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;

public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws IOException {
    HttpServer service = serve("PORT", "/livez", "/readyz");
    HttpServer metrics = serve("METRICS_PORT", "/metrics");
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  service.stop(1);
                  metrics.stop(1);
                }));
    System.out.printf(
        "{\"message\":\"starts\",\"version\":\"%s\",\"heap\":%d,\"sum\":%d}%n",
        System.getenv("VERSION"), Runtime.getRuntime().maxMemory(), add(1, 2));
  }

  private static HttpServer serve(String port, String... paths) throws IOException {
    int number = Integer.parseInt(System.getenv(port));
    HttpServer server = HttpServer.create(new InetSocketAddress(number), 0);
    for (String path : paths) {
      server.createContext(
          path,
          exchange -> {
            exchange.sendResponseHeaders(200, -1);
            exchange.close();
          });
    }
    server.start();
    return server;
  }

  static int add(int a, int b) {
    return a + b;
  }
}
