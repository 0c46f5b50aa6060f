package sample;

public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    System.out.println(add(1, 2));
  }

  static int add(int a, int b) {
    return a + b;
  }
}
