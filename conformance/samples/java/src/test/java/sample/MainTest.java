package sample;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class MainTest {
  @Test
  public void adds() {
    assertEquals(3, Main.add(1, 2));
  }
}
