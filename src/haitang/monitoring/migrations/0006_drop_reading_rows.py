from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0005_move_readings")]
    operations = [migrations.DeleteModel(name="Reading")]
