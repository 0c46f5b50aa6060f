from app import add

print(add(1, 2))
